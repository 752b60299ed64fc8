"""The desired state of tests/bench/desired.ts, which lies in files beside this one when it runs."""

from pathlib import Path

from pyinfra.operations import apt, files, systemd

mine = {"user": "root", "group": "root", "mode": "644"}

for conf in sorted(Path("files").glob("*.conf")):
    files.put(src=str(conf), dest=f"/etc/{conf.name}", **mine)

apt.packages(packages=Path("packages").read_text().split())

for unit in sorted(Path("files").glob("*.service")):
    files.put(src=str(unit), dest=f"/etc/systemd/system/{unit.name}", **mine)
    systemd.service(service=unit.name, running=True, enabled=True)
