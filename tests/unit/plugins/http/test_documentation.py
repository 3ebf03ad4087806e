"""The example of the how-to page is a sound file."""

from __future__ import annotations

import re
from pathlib import Path

from storegate_http.web_config import read_web_config

PAGE = Path(__file__).resolve().parents[4] / "docs/how-to/secure-the-gateway.md"


def test_the_documented_file_can_be_used(tmp_path: Path) -> None:
    (example,) = re.findall(r"^```yml\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    file = tmp_path / "web.yml"
    file.write_text(example)
    config = read_web_config(file)
    assert config.tls_server_config.enabled
    assert list(config.basic_auth_users) == ["prometheus"]
    assert config.rate_limit.interval == 0.01
