#!/usr/bin/env bash
# One check of eightysix gate in a step of GitHub Actions. Everything comes in variables, is quoted, and stands behind `=` or `--`:
# no text of theirs becomes a command, an option or another line of the outputs.
set -uo pipefail

decided="$RUNNER_TEMP/eightysix-gate-decision.jsonl"
rm -f -- "$decided"
options=()
if [ -n "${GATE_AS:-}" ]; then options+=("--as=$GATE_AS"); fi
kept=("${options[@]}")
if [ "${GATE_READ_ONLY:-}" = true ]; then kept+=(--read-only); fi

code=0
eightysix gate check --format github "--events=$decided" "${kept[@]}" -- "$GATE_ARTIFACT" || code=$?
if [ -n "${GATE_SARIF:-}" ]; then
  again=0
  EIGHTYSIX_GATE_EVENTS='' eightysix gate check --read-only --exit-zero --format sarif "--output=$GATE_SARIF" "${options[@]}" -- "$GATE_ARTIFACT" || again=$?
  if [ "$code" -eq 0 ]; then code=$again; fi
fi

echo "exit-code=$code" >> "$GITHUB_OUTPUT"
# -I: nothing is imported from the checkout. The words are checked, since a line here is an output of the step.
python3 -I - "$decided" >> "$GITHUB_OUTPUT" <<'PYTHON'
import json, os, sys

told = {}
if os.path.exists(sys.argv[1]):
    with open(sys.argv[1], encoding="utf-8") as file:
        told = json.loads(file.readline())
name, _, digits = told.get("digest", "").partition(":")
known = name in ("sha256", "sha512") and digits and not set(digits) - set("0123456789abcdef")
print("ruling=" + (told["ruling"] if told.get("ruling") in ("allow", "hold") else ""))
print("digest=" + (told["digest"] if known else ""))
PYTHON

# 11 is audit mode: it tells what would be held, and holds nothing.
if [ "$code" -ne 0 ] && [ "$code" -ne 11 ]; then exit "$code"; fi
