"""What the service counts, for Prometheus."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

SECONDS = (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300, 1800)


class Metrics:
    """The counters of one service."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)  # memory, processor time and open files of the process
        self.requests = Counter("vizinho_requests", "Requests by path and status.", ["path", "status"], registry=self.registry)
        self.latency = Histogram("vizinho_request_seconds", "Time of a request.", ["path"], buckets=SECONDS, registry=self.registry)
        self.running = Gauge("vizinho_requests_running", "Transcription requests that are not answered, uploads included.", registry=self.registry)
        self.queue = Gauge("vizinho_queue_requests", "Recordings that are not done.", registry=self.registry)
        self.queue_audio = Gauge("vizinho_queue_audio_seconds", "Audio that was read and waits for the network.", registry=self.registry)
        self.batch = Histogram("vizinho_batch_parts", "Parts of recordings in a batch.", buckets=(1, 2, 4, 8, 16, 32, 64), registry=self.registry)
        self.padded = Counter("vizinho_padded_seconds", "Audio given to the network, padding included.", registry=self.registry)
        self.audio = Counter("vizinho_audio_seconds", "Audio given to the network.", registry=self.registry)
        self.champion = Gauge("vizinho_champion", "1 for the version in service.", ["version"], registry=self.registry)
        self.loaded = Gauge("vizinho_champion_loaded", "Whether the model is in memory.", registry=self.registry)
        self.behind = Gauge("vizinho_champion_behind", "Whether the registry's tag names another version.", registry=self.registry)
        self.reloads = Counter("vizinho_reloads", "Replacements of the champion, by result.", ["result"], registry=self.registry)
        self.pulls = Counter("vizinho_pulls", "Pulls of the checkout by the service, by result.", ["result"], registry=self.registry)
        self.last_pull = Gauge("vizinho_pull_success_timestamp_seconds", "When a pull last succeeded; 0 for never.", registry=self.registry)
        self.connections = Gauge("vizinho_connections", "Open connections.", registry=self.registry)
        self.closed = Counter("vizinho_connections_closed", "Connections closed without a request: their headers were late, or further "
                              "connections came than the bound.", ["reason"], registry=self.registry)

    def batch_done(self, parts: int, padded_s: float, audio_s: float) -> None:
        """Count a batch."""
        self.batch.observe(parts)
        self.padded.inc(padded_s)
        self.audio.inc(audio_s)

    def reloaded(self, succeeded: bool) -> None:
        """Count a replacement of the champion."""
        self.reloads.labels("success" if succeeded else "failure").inc()

    def pulled(self, succeeded: bool) -> None:
        """Count a pull."""
        self.pulls.labels("success" if succeeded else "failure").inc()
        if succeeded:
            self.last_pull.set_to_current_time()
