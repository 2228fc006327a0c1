"""What the machine is doing: NVML where there is an NVIDIA driver, psutil everywhere."""
