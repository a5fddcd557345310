"""The manual page and the completions contain every command and option that --help lists."""

import os
import pathlib
import pty
import re
import select
import shutil
import subprocess
import time

import pytest

from harness import PATIENCE
from harness.process import run

DEPLOY = pathlib.Path(__file__).parents[2] / "deploy"
MANUAL = DEPLOY / "man" / "onceproxy.1"


def needs(program):
    return pytest.mark.skipif(not shutil.which(program), reason=f"{program} is not installed")


def read_help(*command):
    """The options and subcommands that a command's help tells."""
    text = run(*command, "--help").stdout
    options = re.findall(r"^  (?:-\w,)?(--[\w-]+)", text, re.M)
    commands = re.findall(r"^  ([\w-]+) ", text.partition("Subcommands:\n")[2], re.M)
    return options, commands


def all_commands(*command):
    """Every command as its words, `()` for the program itself, with its options."""
    options, commands = read_help(*command)
    found = {command: (options, commands)}
    for each in commands:
        found.update(all_commands(*command, each))
    return found


@pytest.fixture(scope="module")
def commands():
    found = all_commands()
    assert ("backtest",) in found and "--max-operations" in found[("backtest",)][0]
    return found


def test_the_help_of_every_command_says_what_it_is_for(commands):
    for command, (options, _) in commands.items():
        text = run(*command, "--help").stdout
        assert "--help" in options
        assert len(text.splitlines()[0].split()) > 2, command
        for line in text.splitlines():
            assert len(line) <= 120, line
        options = text.partition("Options:\n")[2].partition("\n\n")[0]
        for option in re.findall(r"^  -.*(?:\n {20,}.*)*", options, re.M):
            assert len(re.split(r" {2,}|\n +", option.strip())) >= 2, f"no description: {option}"


def sections():
    """The manual's text by its subsections and sections."""
    text = subprocess.run(["mandoc", "-T", "utf8", MANUAL], capture_output=True, text=True,
                          check=True, timeout=PATIENCE).stdout
    text = re.sub(".\b", "", text)
    parts = re.split(r"^ {0,3}(?=\S)", text, flags=re.M)
    return {part.partition("\n")[0]: part for part in parts}


@needs("mandoc")
def test_the_manual_is_well_formed():
    lint = subprocess.run(["mandoc", "-T", "lint", MANUAL], capture_output=True, text=True)
    assert (lint.returncode, lint.stdout) == (0, "")


@needs("mandoc")
def test_the_manual_tells_every_command_and_option(commands):
    manual = sections()
    for command, (options, _) in commands.items():
        title = f"onceproxy {command[0]}" if command else "Without a command"
        section = manual[title] + ("" if command else manual["onceproxy run"])
        for word in command[1:]:
            assert re.search(rf"^ +{word}\b", section, re.M), f"{title}: {word}"
        for option in options:
            if option != "--help":
                assert re.search(rf"(?<![\w-]){option}\b", section), f"{title}: {option}"


@needs("mandoc")
def test_the_manual_tells_no_option_that_there_is_not(commands):
    known = {option for options, _ in commands.values() for option in options}
    told = set(re.findall(r"(?<![\w-])--[a-z][\w-]+", "".join(sections().values())))
    assert told <= known


class Bash:
    """Runs the completion function as readline would."""

    SCRIPT = """
        source "$1"; shift
        COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}
        _onceproxy; [ ${#COMPREPLY[@]} = 0 ] || printf '%s\\n' "${COMPREPLY[@]}"
    """

    def complete(self, *words, cwd=None):
        result = subprocess.run(
            ["bash", "--norc", "-c", self.SCRIPT, "bash", DEPLOY / "completions/onceproxy.bash",
             "onceproxy", *words], capture_output=True, text=True, check=True, cwd=cwd,
            timeout=PATIENCE)
        assert not result.stderr, result.stderr
        return set(result.stdout.split("\n")) - {""}

    def close(self):
        pass


class Fish:
    """fish tells the candidates of a line itself."""

    def __init__(self, directory):
        self.environment = {**os.environ, "HOME": str(directory), "XDG_CONFIG_HOME": str(directory),
                            "XDG_DATA_HOME": str(directory), "TERM": "dumb"}

    def complete(self, *words, cwd=None):
        script = f'source {DEPLOY}/completions/onceproxy.fish; complete -C "onceproxy {" ".join(words)}"'
        result = subprocess.run(["fish", "--no-config", "-c", script], capture_output=True, text=True,
                                check=True, cwd=cwd, env=self.environment, timeout=PATIENCE)
        return {line.partition("\t")[0] for line in result.stdout.splitlines()}

    def close(self):
        pass


CONTROL_U = "\x15"  # throws the line away


class Zsh:
    """zsh completes at a terminal alone: an interactive one, whose Tab key is pressed."""

    PROMPT = "ready> "
    SETUP = """
        unsetopt beep; PS1='{prompt}'; PROMPT_EOL_MARK=; LISTMAX=10000
        fpath=({completions} $fpath); autoload -Uz compinit; compinit -u -D
        compdef _onceproxy onceproxy
        zstyle ':completion:*' verbose no; zstyle ':completion:*' list-packed no
        choices() {{ _main_complete; compstate[list]='list force'; compstate[insert]= }}
        zle -C choices list-choices choices
        tell() {{ zle choices; zle -R; print -r -- " TOLD-$((40 + 2))" }}
        zle -N tell; bindkey -e; bindkey '^I' tell; stty cols 60 rows 200
    """

    def __init__(self, directory):
        pid, self.terminal = pty.fork()
        if pid == 0:
            os.chdir(directory)
            os.execvpe("zsh", ["zsh", "-f", "-i"], {**os.environ, "TERM": "dumb", "HOME": str(directory)})
        self.pid = pid
        script = directory / "setup.zsh"
        script.write_text(self.SETUP.format(completions=DEPLOY / "completions", prompt=self.PROMPT))
        self.type(f"source {script}\n")
        self.read_until(self.PROMPT)

    def type(self, text):
        os.write(self.terminal, text.encode())

    def read_until(self, wanted):
        seen, deadline = "", time.monotonic() + PATIENCE
        while wanted not in seen:
            ready = select.select([self.terminal], [], [], deadline - time.monotonic())[0]
            assert ready, f"no {wanted} in {seen!r}"
            seen += os.read(self.terminal, 4096).decode()
        return seen

    def complete(self, *words, cwd=None):
        # Each time zsh is waited for: what is typed ahead would keep it from listing.
        if cwd:
            self.type(f"cd {cwd}\n")
            self.read_until(self.PROMPT)
        self.type(f"onceproxy {' '.join(words)}\t")
        text = self.read_until(" TOLD-42")
        self.type(CONTROL_U)
        return set(re.findall(r"(?<!\S)[\w./-]+", text))

    def close(self):
        os.close(self.terminal)
        os.waitpid(self.pid, 0)


@pytest.fixture(params=[pytest.param(Bash, marks=needs("bash")), pytest.param(Fish, marks=needs("fish")),
                        pytest.param(Zsh, marks=needs("zsh"))], ids=["bash", "fish", "zsh"])
def shell(request, directory):
    made = request.param() if request.param is Bash else request.param(directory)
    yield made
    made.close()


def test_completions_know_every_command_and_option(shell, commands):
    for command, (options, subcommands) in commands.items():
        offered = shell.complete(*command, "--")
        assert set(options) <= offered, f"{command}: {set(options) - offered}"
        if subcommands:
            offered = shell.complete(*command, "")
            assert set(subcommands) <= offered, f"{command}: {set(subcommands) - offered}"


def test_completions_offer_no_option_that_there_is_not(shell, commands):
    for command, (options, _) in commands.items():
        offered = {word for word in shell.complete(*command, "--") if word.startswith("--")} - {"--"}
        assert offered <= set(options), f"{command}: {offered - set(options)}"


def test_completions_offer_policy_files_and_words(shell, directory):
    folder = directory / "files"
    folder.mkdir()
    for name in ("once.yaml", "only.yml", "other.txt", "over.log"):
        (folder / name).touch()
    offered = shell.complete("run", "-c", "o", cwd=folder)
    assert {"once.yaml", "only.yml"} <= offered
    if not isinstance(shell, Fish):  # which offers other files after those
        assert "other.txt" not in offered
    assert "once.yaml" in shell.complete("check", "o", cwd=folder)
    assert "other.txt" in shell.complete("backtest", "-c", "once.yaml", "o", cwd=folder)
    assert {"text", "json"} <= shell.complete("check", "--format", "", cwd=folder)
