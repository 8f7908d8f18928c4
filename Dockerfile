# An image of the pipeline for workers and `dvc repro`, and one of the service: locked packages, no root, no eSpeak NG unless asked for (NOTICE).
#   docker build -t vizinho .                        for recorded corpora
#   docker build -t vizinho --build-arg SPEAK=1 .    for the embedded default too
#   docker build -t vizinho-serve --target serve .   for `vizinho serve` (docs/guides/serving.md)
FROM python:3.11-slim AS build
ARG SPEAK=0
RUN python -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
COPY requirements/ /tmp/requirements/
RUN pip install --no-deps --require-hashes -r /tmp/requirements/main.txt \
    && if [ "$SPEAK" = 1 ]; then pip install --no-deps --require-hashes -r /tmp/requirements/speak.txt; fi

FROM python:3.11-slim AS base
RUN apt-get update && apt-get install --yes --no-install-recommends ffmpeg git make && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 1000 vizinho && install -d -o vizinho /var/lib/vizinho
COPY --from=build /opt/venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 DO_NOT_TRACK=1 PREFECT_SERVER_ANALYTICS_ENABLED=false
COPY --chown=vizinho:vizinho . /opt/vizinho
WORKDIR /opt/vizinho
RUN pip install --no-deps --no-build-isolation --editable .
USER 1000

# Serves the champion of a checkout that is mounted at /var/lib/vizinho/checkout. Writes only there and in /tmp.
FROM base AS serve
ENV HOME=/tmp TMPDIR=/tmp DVC_SITE_CACHE_DIR=/tmp/dvc PYTHONDONTWRITEBYTECODE=1
VOLUME /var/lib/vizinho
EXPOSE 8000
HEALTHCHECK --start-period=120s CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/health', timeout=5)"]
ENTRYPOINT ["vizinho", "serve", "--host", "0.0.0.0", "--port", "8000", "--checkout", "/var/lib/vizinho/checkout"]

FROM base
ENV VIZINHO_CHECKOUT=/opt/vizinho VIZINHO_STATE=/var/lib/vizinho
VOLUME /var/lib/vizinho
ENTRYPOINT ["vizinho"]
CMD ["--help"]
