"""Processes that outlive the agent: started detached, recognised again, ended as a group."""
