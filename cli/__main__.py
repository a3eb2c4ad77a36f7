"""`./glossa <verb>`."""

from __future__ import annotations

import os

import click

from cli.verbs import LazyGroup, Verb

VERBS = {
    "demo": Verb("cli.demo", "demo", "Start everything, feed it a sermon, show both languages."),
    "up": Verb("cli.up", "up", "Keep every service running until Ctrl-C."),
    "service": Verb("cli.service", "service", "Have this machine start Glossa by itself."),
    "live": Verb("cli.live", "live", "Feed a file, the microphone or a URL to a running stack."),
    "captions": Verb("cli.captions", "captions", "Follow the captions in this terminal."),
    "obs": Verb("cli.obs", "obs", "Show captions in a text source of OBS Studio."),
    "propresenter": Verb("cli.propresenter", "propresenter", "Show captions in ProPresenter."),
    "export": Verb("cli.export", "export", "Write a session as subtitles, text or JSON."),
    "queue": Verb("cli.queue", "queue", "Show the collected pairs, and make datasets of them."),
    "review": Verb("cli.review", "review", "Put doubtful pairs right, in this terminal."),
    "report": Verb("cli.report", "report", "Write a session's report: figures and plots."),
    "dashboard": Verb("cli.dashboard", "dashboard", "Plot quality over the sessions."),
    "translate": Verb("cli.translate", "translate", "Translate a text, or lines from stdin."),
    "transcribe": Verb("cli.transcribe", "transcribe", "Write down what a recording says."),
    "models": Verb("cli.models", "models", "Get models, list them, verify them."),
    "certs": Verb("cli.certs", "certs", "Make certificates, so that everything is encrypted."),
    "tokens": Verb("cli.tokens", "tokens", "Say who may do what: make, list, revoke tokens."),
    "status": Verb("cli.status", "status", "Show how what runs is."),
    "doctor": Verb("cli.doctor", "doctor", "Check this machine, and say what to do."),
    "audit": Verb("cli.audit", "audit", "Ask whether a library is known to be vulnerable."),
    "test": Verb("cli.test", "test", "Check the code and run its tests."),
    "bench": Verb("cli.bench", "bench", "Measure."),
    "chaos": Verb("bench.chaos.verb", "command", "Break a stack on purpose, and count the losses."),
}


@click.group(cls=LazyGroup, verbs=VERBS, context_settings={"help_option_names": ["-h", "--help"]})
def glossa() -> None:
    """Live sermon captions in the listener's language, on the church's own machine."""


def main() -> None:
    glossa(prog_name=os.environ.get("GLOSSA_PROGRAM", "glossa"))


if __name__ == "__main__":
    main()
