"""Changes while users ask: replicas come and go, one engine takes another's place, and nobody gets an error."""

from __future__ import annotations

from pathlib import Path

from support.deck import changed, deck
from support.processes import alive, session
from support.traffic import traffic


async def test_scaling_up_and_down_fails_no_request(demo_models: Path) -> None:
    async with deck(demo_models) as host:
        first = await host.deploy(changed(), "control")
        await host.deploy(changed("demo-q8"), "treatment")
        await host.experiment("control", "treatment")
        async with traffic(host.gateway, users=4) as users:
            for replicas in (3, 1, 2):
                assert (await host.scale(replicas, "control")).state == "done"
                states = await host.when(
                    lambda status, wanted=replicas: (
                        [one.state for one in status.engines if one.name.partition("/")[0] == "control"]
                        == ["ready"] * wanted
                    )
                )
                assert states
                await users.more(20)
        assert users.failures == []
        print(f"\n{users.answered} answers, 0 failed requests")
        engines = {one.name: one for one in (await host.client.status()).engines}
        assert engines["control"].pid == first.pid
        # A replica that comes later serves the same: it is judged as what is there already.
        assert engines["control/1"].epoch == engines["control"].epoch
        assert len(host.agent.engines()) == 3, "two replicas and the treatment"


async def test_replacing_and_restarting_fail_no_request(demo_models: Path) -> None:
    async with deck(demo_models) as host:
        old = await host.deploy(changed(), "control")
        await host.deploy(changed("demo-q8"), "treatment")
        await host.experiment("control", "treatment")
        async with traffic(host.gateway, users=4) as users:
            new = await host.deploy(changed("demo-q8"), "control", replace=True)
            await users.more(20)
            assert (await host.restart("control")).state == "done"
            await users.more(20)
        assert users.failures == []
        print(f"\n{users.answered} answers, 0 failed requests")
        again = await host.engine("control")
        assert (new.generation, again.generation, again.profile) == (2, 3, "demo-q8")
        assert not alive(session(old.pid or 0))
        assert not alive(session(new.pid or 0))


async def test_a_scaled_engine_is_restarted_with_all_its_replicas(demo_models: Path) -> None:
    async with deck(demo_models, gateway=False) as host:
        await host.deploy(changed())
        await host.scale(2)
        before = {one.pid for one in (await host.client.status()).engines}
        assert (await host.restart()).state == "done"
        status = await host.client.status()
        assert [one.state for one in status.engines] == ["ready", "ready"]
        assert not before & {one.pid for one in status.engines}
        assert len(host.agent.marked()) == 2
