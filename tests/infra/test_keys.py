"""No key, token or password lies in the repository."""

import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# Each in two halves, so that this file does not find itself.
SECRETS: Mapping[str, re.Pattern[str]] = {
    "a private key": re.compile("-----BEGIN [A-Z ]*" + "PRIVATE KEY-----"),
    "a service account's key": re.compile('"private_key' + r'_id"\s*:\s*"[0-9a-f]{40}"'),
    "a Google API key": re.compile("AIza" + r"[0-9A-Za-z_-]{35}"),
    "a Google OAuth secret": re.compile("GOCSPX" + r"-[0-9A-Za-z_-]{20,}"),
    "a Google access token": re.compile("ya29" + r"\.[0-9A-Za-z_-]{20,}"),
    "an AWS access key": re.compile(r"\b(AKIA|ASIA)" + r"[0-9A-Z]{16}\b"),
    "a GitHub token": re.compile(r"\b(gh[pousr]_|github_pat_)" + r"[0-9A-Za-z_]{30,}"),
    "a Slack token": re.compile(r"\bxox" + r"[abprs]-[0-9A-Za-z-]{10,}"),
    "an npm or PyPI token": re.compile(r"\b(npm_[0-9A-Za-z]{36}|pypi-" + r"AgE[0-9A-Za-z_-]{50,})"),
    "a signed token": re.compile(r"\beyJ[0-9A-Za-z_-]{10,}\.eyJ" + r"[0-9A-Za-z_-]{10,}\.[0-9A-Za-z_-]{10,}"),
    "a password in an address": re.compile(r"https?://[^/\s:@'\"{}<>$]+:" + r"[^/\s:@'\"{}<>$]+@[a-z0-9.-]+"),
}


def files() -> Iterator[Path]:
    """What is committed, or will be."""
    command = ["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    yield from (path for name in listed.split("\0") if name and (path := ROOT / name).is_file())


def found_in(text: str) -> list[str]:
    return [what for what, pattern in SECRETS.items() if pattern.search(text)]


def test_no_secret_lies_in_the_repository():
    texts = {path: path.read_text(errors="replace") for path in files()}
    assert len(texts) > 200
    assert {str(path.relative_to(ROOT)): found for path, text in texts.items() if (found := found_in(text))} == {}


def test_no_file_is_of_a_kind_that_holds_secrets():
    names = re.compile(r"^\.env(\..+)?$|^id_(rsa|ed25519)$|\.(pem|key|p12|pfx|jks|keystore|tfstate|tfvars)(\.backup)?$")
    assert [str(path) for path in files() if names.search(path.name)] == []


@pytest.mark.parametrize(
    ("what", "text"),
    [
        ("a private key", "-----BEGIN RSA " + "PRIVATE KEY-----"),
        ("a service account's key", '"private_key' + '_id": "' + "4d" * 20 + '"'),
        ("a Google API key", "AIza" + "S" * 35),
        ("a Google OAuth secret", "GOCSPX" + "-" + "a" * 28),
        ("a Google access token", "ya29" + "." + "a" * 40),
        ("an AWS access key", "AKIA" + "A" * 16),
        ("a GitHub token", "ghp_" + "a" * 36),
        ("a Slack token", "xox" + "b-1234567890-abc"),
        ("an npm or PyPI token", "npm_" + "a" * 36),
        ("a signed token", "eyJhbGciOiJSUzI1NiJ9" + ".eyJzdWIiOiJtYXJpYSJ9" + ".c2lnbmF0dXJlLW9mLWl0"),
        ("a password in an address", "https://maria:" + "secret@example.org/"),
    ],
)
def test_a_secret_would_be_found(what, text):
    assert what in found_in(f"before {text} after")
