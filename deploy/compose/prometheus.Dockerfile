# Prometheus with pgherald's alerts, for the profile "observability" of docker-compose.yml.
FROM debian:trixie-slim
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends prometheus \
 && rm -rf /var/lib/apt/lists/*
COPY deploy/compose/prometheus.yml deploy/prometheus/pgherald.rules.yml /etc/prometheus/
USER 65532:65532
WORKDIR /tmp
EXPOSE 9090
ENTRYPOINT ["prometheus", "--config.file=/etc/prometheus/prometheus.yml", "--storage.tsdb.path=/tmp/prometheus"]
