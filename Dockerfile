# syntax=docker/dockerfile:1
FROM rust:1-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends cmake espeak-ng nodejs npm && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN cargo build --release --locked -p cordboard

FROM debian:bookworm-slim
RUN useradd --system --uid 10001 --no-create-home cordboard \
 && install -d -m 0700 -o cordboard -g cordboard /var/lib/cordboard
COPY --from=build /src/target/release/cordboard /usr/local/bin/cordboard
USER cordboard
# In a container every interface is the outside: the page and SIP over WebSocket on 8080, SIP on 5060,
# browser media on UDP 10000, phone media on UDP 20000-20999. Name the host's address with CORDBOARD_ADVERTISE.
# What must outlive the container is in /var/lib/cordboard. There is no demonstration here: the first start creates
# the user "admin" and prints its password once.
ENV CORDBOARD_LISTEN=0.0.0.0 CORDBOARD_STATE=/var/lib/cordboard CORDBOARD_FIRST_ADMIN=admin
VOLUME /var/lib/cordboard
EXPOSE 8080/tcp 5060/udp 5060/tcp 10000/udp 20000-20999/udp
ENTRYPOINT ["cordboard"]
