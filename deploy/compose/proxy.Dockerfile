# nginx, for docker-compose.yml: what stands in front of the relays.
FROM debian:trixie-slim
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends nginx-light \
 && rm -rf /var/lib/apt/lists/*
COPY deploy/compose/nginx.conf /etc/nginx/nginx.conf
USER 65532:65532
EXPOSE 8000
STOPSIGNAL SIGQUIT
ENTRYPOINT ["nginx", "-e", "stderr"]
