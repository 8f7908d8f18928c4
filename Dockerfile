# An image of the pipeline for workers and `dvc repro`: locked packages, no root, no eSpeak NG unless asked for (NOTICE).
#   docker build -t vizinho .                        for recorded corpora
#   docker build -t vizinho --build-arg SPEAK=1 .    for the embedded default too
FROM python:3.11-slim AS build
ARG SPEAK=0
RUN python -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
COPY requirements/ /tmp/requirements/
RUN pip install --no-deps --require-hashes -r /tmp/requirements/main.txt \
    && if [ "$SPEAK" = 1 ]; then pip install --no-deps --require-hashes -r /tmp/requirements/speak.txt; fi

FROM python:3.11-slim
RUN apt-get update && apt-get install --yes --no-install-recommends ffmpeg git make && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 1000 vizinho && install -d -o vizinho /var/lib/vizinho
COPY --from=build /opt/venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 DO_NOT_TRACK=1 PREFECT_SERVER_ANALYTICS_ENABLED=false
COPY --chown=vizinho:vizinho . /opt/vizinho
WORKDIR /opt/vizinho
RUN pip install --no-deps --no-build-isolation --editable .
USER vizinho
ENV VIZINHO_CHECKOUT=/opt/vizinho VIZINHO_STATE=/var/lib/vizinho
VOLUME /var/lib/vizinho
ENTRYPOINT ["vizinho"]
CMD ["--help"]
