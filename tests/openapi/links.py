"""What of a run's sequences went on: python3 tests/openapi/links.py REPORT.ndjson. Schemathesis counts each link that it followed; here are
those whose request was answered with a success too."""

import json
import sys


def scenarios(report):
    with open(report, encoding="utf-8") as lines:
        for line in lines:
            event = json.loads(line)
            scenario = event.get("ScenarioFinished")
            if scenario and scenario["phase"] == "stateful" and "recorder" in scenario:
                yield scenario["recorder"]


def links(report):
    """Links that were followed, and those of them that were answered with a success, with how often."""
    followed, successes = {}, {}
    for recorder in scenarios(report):
        for case_id, case in recorder.get("cases", {}).items():
            link = (case.get("transition") or {}).get("id")
            if not link or not case.get("is_transition_applied"):
                continue
            followed[link] = followed.get(link, 0) + 1
            response = recorder["interactions"].get(case_id, {}).get("response") or {}
            if 200 <= response.get("status_code", 0) < 300:
                successes[link] = successes.get(link, 0) + 1
    return followed, successes


if __name__ == "__main__":
    followed, successes = links(sys.argv[1])
    print(f"API Links answered with a success: {len(successes)} of {len(followed)} followed")
    if "--missed" in sys.argv:
        print("\n".join(sorted(set(followed) - set(successes))))
