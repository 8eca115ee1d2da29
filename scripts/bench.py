"""Compares kaf6 with rdkafka_performance on one broker in one run, as ratios; see docs/performance.md.

Each pair is run several times in turn, so that what else the machine does falls on both; the median ratio counts.
CPU is that of the whole process (user and system), divided by its messages.
"""

import argparse
import json
import os
import re
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
KAF6 = ROOT / "target/release/kaf6"
PEER = ROOT / "target/bench/rdkafka_performance"
LAB = Path(os.environ.get("KAF6_LAB", ROOT / "target/lab"))


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(port, process):
    for _ in range(600):
        if process.poll() is not None:
            sys.exit(f"bench: the broker ended with {process.returncode}")
        with socket.socket() as s:
            if s.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    sys.exit("bench: the broker does not answer")


class Tansu:
    """Tansu in memory, restarted for each measurement, so that measurements are independent."""

    def __enter__(self):
        port = free_port()
        self.address = f"127.0.0.1:{port}"
        env = dict(
            os.environ,
            LISTENER_URL=f"tcp://{self.address}",
            ADVERTISED_LISTENER_URL=f"tcp://{self.address}",
            STORAGE_ENGINE="memory://tansu/",
        )
        self.process = subprocess.Popen(
            [LAB / "bin/tansu", "broker"], env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        wait_for(port, self.process)
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


class Kafka:
    """One Apache Kafka node, broker and controller."""

    def __enter__(self):
        port, controller = free_port(), free_port()
        self.address = f"127.0.0.1:{port}"
        self.folder = Path(tempfile.mkdtemp(prefix="kaf6-bench-"))
        config = self.folder / "server.properties"
        config.write_text(
            f"process.roles=broker,controller\nnode.id=1\n"
            f"controller.quorum.voters=1@127.0.0.1:{controller}\n"
            f"listeners=PLAINTEXT://{self.address},CONTROLLER://127.0.0.1:{controller}\n"
            f"advertised.listeners=PLAINTEXT://{self.address}\ncontroller.listener.names=CONTROLLER\n"
            f"listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT\n"
            f"log.dirs={self.folder}/logs\noffsets.topic.replication.factor=1\n"
        )
        java = self.java()
        uuid = subprocess.check_output(
            [*java, "kafka.tools.StorageTool", "random-uuid"], text=True, stderr=subprocess.DEVNULL
        ).strip().splitlines()[-1]
        subprocess.run(
            [*java, "kafka.tools.StorageTool", "format", "-t", uuid, "-c", config],
            check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        self.process = subprocess.Popen(
            [*java, "kafka.Kafka", config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        wait_for(port, self.process)
        return self

    @staticmethod
    def java():
        return ["java", "-Xmx1g", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error", "-cp", str(LAB / "kafka/lib/*")]

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


def run(command, **options):
    """Runs a command and returns its output, wall seconds, CPU seconds and peak memory in MiB."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)
    output = process.stdout.read()
    # wait4 returns the peak of this process, not of the largest process so far.
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.monotonic() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    if process.returncode != 0:
        sys.exit(f"bench: {' '.join(map(str, command))} ended with {process.returncode}:\n{output[-2000:]}")
    return output, wall, cpu, usage.ru_maxrss / 1024


class Bench:
    def __init__(self, work):
        self.work = work
        self.count = 0

    def topic(self):
        self.count += 1
        return f"bench-{os.getpid()}-{self.count}"

    def kaf6(self, address, scenarios, topic, partitions, *options):
        """Runs a scenario file and returns its summary, CPU seconds, peak MiB and run folder."""
        self.count += 1
        file = self.work / f"{self.count}.json"
        file.write_text(json.dumps({
            "brokers": [address],
            "topics": [{"name": topic, "partitions": partitions}],
            "scenarios": scenarios,
            "checks": [{"name": "acked", "type": "count_at_least", "scenario": "write", "expected": 1}],
            # A file without readers reads nothing back, so that only producing is measured.
            "run": {} if "read" in scenarios else {"audit": False},
        }))
        run_id = f"run{self.count}"
        _, _, cpu, peak = run([
            KAF6, "run", file, "--quiet", "--report-dir", self.work, "--run-id", run_id,
            # A run whose messages are not read is inconclusive.
            "--fail-on", "check", *options,
        ])
        folder = self.work / run_id
        return json.loads((folder / "summary.json").read_text()), cpu, peak, folder

    def produce(self, address, size, partitions, messages):
        """Produces with kaf6 and its ledger.

        Returns messages per second, CPU microseconds per message, and the folder of the saved ledger.
        """
        topic = self.topic()
        write = {"type": "produce", "messages": messages, "value": {"size": size}}
        if partitions == 1:
            write["partition"] = 0
        summary, cpu, _, folder = self.kaf6(address, {"write": write}, topic, partitions, "--save-ledger")
        assert summary["scenarios"]["write"]["acked"] == messages, summary["scenarios"]
        return summary["scenarios"]["write"]["rate_per_s"], cpu / messages * 1e6, (folder, topic)

    def verify(self, address, folder, messages):
        """Reads and verifies each message of a saved ledger with kaf6."""
        self.count += 1
        run_id = f"run{self.count}"
        _, _, cpu, _ = run([KAF6, "verify", folder, "--quiet", "--report-dir", self.work, "--run-id", run_id])
        summary = json.loads((self.work / run_id / "summary.json").read_text())
        reader = summary["scenarios"]["verify"]
        assert summary["status"] == "pass" and reader["received"] == messages, summary["reason"]
        return reader["rate_per_s"], cpu / messages * 1e6

    def peer_produce(self, address, topic, size, partitions, messages):
        output, _, cpu, _ = run([
            PEER, "-P", "-t", topic, "-b", address, "-s", str(size), "-c", str(messages), "-u",
            *(["-p", "0"] if partitions == 1 else ["-p", "-1"]),
            "-X", "linger.ms=5", "-X", "acks=all",
        ])
        last = [line for line in output.splitlines() if line.startswith("|") and "elapsed" not in line][-1]
        cells = [cell.strip() for cell in last.strip("| \n").split("|")]
        return int(cells[5]), cpu / messages * 1e6

    def peer_consume(self, address, topic, partitions, messages):
        """Reads all partitions with one client of rdkafka_performance."""
        places = [option for partition in range(partitions) for option in ("-p", str(partition))]
        _, wall, cpu, _ = run([
            PEER, "-C", "-t", topic, "-b", address, "-c", str(messages), *places, "-u", "-o", "beginning",
            # As kaf6 does.
            "-X", "check.crcs=true",
        ])
        # Its last rate is not printed before it ends, so the time of the whole process is measured, including start and end.
        return messages / wall, cpu / messages * 1e6


def median(values):
    return statistics.median(values)


def row(what, rates, peers, cpus, peer_cpus):
    rate = median([a / b for a, b in zip(rates, peers)]) if all(peers) else float("nan")
    cpu = median([a / b for a, b in zip(cpus, peer_cpus)])
    print(
        f"| {what} | {median(rates):,.0f} | {median(peers):,.0f} | {rate:.2f} "
        f"| {median(cpus):.3f} | {median(peer_cpus):.3f} | {cpu:.2f} |",
        flush=True,
    )


def against_rdkafka_performance(bench, options):
    print("\nOn Tansu in memory, against rdkafka_performance (limits: at least 0.95 of its rate, at most 1.5 of its CPU)\n")
    print("| what | kaf6 msg/s | peer msg/s | ratio | kaf6 us CPU/msg | peer us CPU/msg | ratio |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for partitions in (1, 12):
        for size in (100, 1024):
            messages = options.messages if size == 100 else options.messages // 4
            mine, theirs, read, read_theirs = [], [], [], []
            for _ in range(options.rounds):
                with Tansu() as tansu:
                    *written, (folder, topic) = bench.produce(tansu.address, size, partitions, messages)
                    mine.append(written)
                    read.append(bench.verify(tansu.address, folder, messages))
                    read_theirs.append(bench.peer_consume(tansu.address, topic, partitions, messages))
                with Tansu() as tansu:
                    topic = bench.topic()
                    create(tansu.address, topic, partitions, bench)
                    theirs.append(bench.peer_produce(tansu.address, topic, size, partitions, messages))
            name = f"{size} B, {partitions} partition{'s' if partitions > 1 else ''}"
            row(f"produce, {name}", *columns(mine, theirs))
            row(f"consume and verify, {name}", *columns(read, read_theirs))


def columns(mine, theirs):
    return ([m[0] for m in mine], [t[0] for t in theirs], [m[1] for m in mine], [t[1] for t in theirs])


def create(address, topic, partitions, bench):
    """Creates a topic with this number of partitions, with kaf6."""
    write = {"type": "produce", "messages": 1, "partition": 0, "value": {"size": 100}}
    bench.kaf6(address, {"write": write}, topic, partitions)


def against_java(bench, options):
    if shutil.which("java") is None or not (LAB / "kafka/lib").exists():
        print("\nJava or Kafka is missing, so ProducerPerformance and ConsumerPerformance are skipped.")
        return
    print("\nOn Apache Kafka, compared with its own tools (100 B, 1 partition, acks=all)\n")
    print("| what | kaf6 msg/s | Kafka's tool msg/s | ratio | kaf6 us CPU/msg | tool us CPU/msg | ratio |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    messages = options.messages
    with Kafka() as kafka:
        mine, theirs, read, read_theirs = [], [], [], []
        for _ in range(options.rounds):
            *written, (folder, topic) = bench.produce(kafka.address, 100, 1, messages)
            mine.append(written)
            read.append(bench.verify(kafka.address, folder, messages))
            output, _, cpu, _ = run([
                *Kafka.java(), "org.apache.kafka.tools.ConsumerPerformance", "--bootstrap-server", kafka.address,
                "--topic", topic, "--num-records", str(messages), "--timeout", "60000",
            ])
            # The last cell, fetch.nMsg.sec, excludes the time to join the consumer group.
            cells = [line.split(",") for line in output.splitlines() if re.match(r"\d{4}-\d\d-\d\d ", line)][-1]
            read_theirs.append((float(cells[-1]), cpu / messages * 1e6))
            topic = bench.topic()
            create(kafka.address, topic, 1, bench)
            output, _, cpu, _ = run([
                *Kafka.java(), "org.apache.kafka.tools.ProducerPerformance", "--topic", topic, "--num-records",
                str(messages), "--record-size", "100", "--throughput", "-1", "--bootstrap-server", kafka.address,
                "--command-property", "acks=all", "linger.ms=5",
            ])
            rate = re.findall(r"([\d.]+) records/sec", output)
            theirs.append((float(rate[-1]), cpu / messages * 1e6))
        row("produce", *columns(mine, theirs))
        row("consume and verify", *columns(read, read_theirs))


def memory(bench, options):
    print("\nMemory and CPU by number of messages (100 B, 1 partition, produce and consume in one run, on Tansu)\n")
    print("| messages | peak MiB | us CPU/msg | ledger.json bytes/msg |")
    print("| --- | --- | --- | --- |")
    for messages in (1_000_000, options.many):
        with Tansu() as tansu:
            scenarios = {
                "write": {"type": "produce", "messages": messages, "partition": 0, "value": {"size": 100}},
                "read": {"type": "consume"},
            }
            topic = bench.topic()
            summary, cpu, peak, folder = bench.kaf6(tansu.address, scenarios, topic, 1, "--save-ledger")
            assert summary["status"] == "pass", summary["reason"]
            saved = (folder / "ledger.json").stat().st_size / messages
            print(f"| {messages:,} | {peak:.0f} | {cpu / messages * 1e6:.3f} | {saved:.3f} |", flush=True)


def one_message(bench):
    file = ROOT / "examples/single.yaml"
    walls = []
    for _ in range(20):
        _, wall, _, _ = run([KAF6, "run", file, "--embedded", "--quiet", "--report-dir", bench.work])
        walls.append(wall * 1000)
    print("\nOne message on the embedded broker, process start to exit (limit: 150 ms)\n")
    print(f"median {median(walls):.0f} ms, fastest {min(walls):.0f} ms, slowest {max(walls):.0f} ms of {len(walls)}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--messages", type=int, default=4_000_000, help="messages of 100 B (a quarter at 1 KiB)")
    parser.add_argument("--many", type=int, default=20_000_000, help="messages of the large memory run")
    parser.add_argument("--rounds", type=int, default=5, help="number of runs of each pair")
    parser.add_argument("--only", choices=["peer", "java", "memory", "one"], help="run only this part")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="kaf6-bench-") as work:
        bench = Bench(Path(work))
        parts = {
            "one": lambda: one_message(bench),
            "peer": lambda: against_rdkafka_performance(bench, options),
            "java": lambda: against_java(bench, options),
            "memory": lambda: memory(bench, options),
        }
        for name, part in parts.items():
            if options.only in (None, name):
                part()


if __name__ == "__main__":
    main()
