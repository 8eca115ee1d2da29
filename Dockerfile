# The image of the GitHub Action, and of `docker run` in any other CI. Builds with BuildKit and without.
# The release workflow pins both base images by digest.
ARG RUST_IMAGE=rust:1.95.0-bookworm
ARG BASE_IMAGE=debian:bookworm-slim

FROM ${RUST_IMAGE} AS build
# `ci` builds faster and runs slower: for tests of the image itself.
ARG PROFILE=release
WORKDIR /build
# Dependencies first, on an empty crate: librdkafka, OpenSSL and the rest are built again only when these files change.
COPY Cargo.toml Cargo.lock build.rs ./
# What build.rs compiles against librdkafka.
COPY src/kafka/ffi/headers.c src/kafka/ffi/checksums.c src/kafka/ffi/
# Crates for tests alone: cargo wants to see them.
COPY tests/harness/liar/Cargo.toml tests/harness/liar/
COPY tests/harness/oracle/Cargo.toml tests/harness/oracle/
RUN mkdir -p src tests/harness/liar/src tests/harness/oracle/src \
    && touch tests/harness/liar/src/lib.rs tests/harness/oracle/src/lib.rs \
    && touch src/lib.rs && echo 'fn main() {}' >src/main.rs \
    && cargo build --locked --profile "$PROFILE" --bin kaf6
COPY templates templates
COPY src src
# A copied file keeps its time, and cargo goes by times: without a touch it would keep the empty crate.
RUN touch src/lib.rs src/main.rs \
    && cargo build --locked --profile "$PROFILE" --bin kaf6 \
    && install -D "target/$PROFILE/kaf6" /out/kaf6

FROM ${BASE_IMAGE}
# Debian's slim image has no certificates; those of the build image are Debian's own.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
ENV SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
COPY examples /usr/share/kaf6/examples
COPY scripts/action-post /usr/local/bin/kaf6-post
# /work is where a caller mounts files; without a mount it shows the examples, and any user may write reports there.
RUN chmod 755 /usr/local/bin/kaf6-post \
    && mkdir -p /work && ln -s /usr/share/kaf6/examples /work/examples && chmod 1777 /work
COPY --from=build /out/kaf6 /usr/local/bin/kaf6
WORKDIR /work

ARG VERSION=dev
ARG REVISION=unknown
LABEL org.opencontainers.image.title="kaf6" \
      org.opencontainers.image.description="Decides in CI whether a Kafka-compatible broker keeps its promises" \
      org.opencontainers.image.source="https://github.com/org/kaf6" \
      org.opencontainers.image.documentation="https://github.com/org/kaf6/tree/main/docs" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"

# No USER: GitHub's container actions must run as root to write to the workspace. `docker run --user` works too.
ENTRYPOINT ["kaf6"]
CMD ["--help"]
