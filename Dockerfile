# The image of the GitHub Action, also for `docker run` in other CI systems. Builds with or without BuildKit.
# The release workflow pins both base images by digest.
ARG RUST_IMAGE=rust:1.95.0-bookworm
ARG BASE_IMAGE=debian:bookworm-slim

FROM ${RUST_IMAGE} AS build
# `ci` builds faster and runs slower, for tests of the image.
ARG PROFILE=release
WORKDIR /build
# Build the dependencies first, with an empty crate, so that they are rebuilt only when these files change.
COPY Cargo.toml Cargo.lock build.rs ./
# The C code that build.rs compiles.
COPY src/kafka/ffi/headers.c src/kafka/ffi/checksums.c src/kafka/ffi/
# cargo requires the members of the workspace, although only tests use them.
COPY tests/harness/liar/Cargo.toml tests/harness/liar/
COPY tests/harness/oracle/Cargo.toml tests/harness/oracle/
RUN mkdir -p src tests/harness/liar/src tests/harness/oracle/src \
    && touch tests/harness/liar/src/lib.rs tests/harness/oracle/src/lib.rs \
    && touch src/lib.rs && echo 'fn main() {}' >src/main.rs \
    && cargo build --locked --profile "$PROFILE" --bin kaf6
COPY templates templates
COPY src src
# A copied file keeps its modification time. Without `touch`, cargo would not rebuild the empty crate.
RUN touch src/lib.rs src/main.rs \
    && cargo build --locked --profile "$PROFILE" --bin kaf6 \
    && install -D "target/$PROFILE/kaf6" /out/kaf6

FROM ${BASE_IMAGE}
# Debian's slim image has no certificates. Those of the build image come from Debian.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
ENV SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
COPY examples /usr/share/kaf6/examples
COPY scripts/action-post /usr/local/bin/kaf6-post
# Users mount their files at /work. Without a mount, it has the examples, and any user can write reports there.
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
