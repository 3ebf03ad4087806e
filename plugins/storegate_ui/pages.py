"""The pages: a Jinja2 template each, and what it shows."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Callable, Mapping
from functools import cache
from importlib import metadata
from typing import TYPE_CHECKING, Any

import yaml
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from storegate.config.masking import masked_settings
from storegate.kernels import ACCELERATED
from storegate_ui.caches import cache_rows
from storegate_ui.config import UiConfig
from storegate_ui.files import StaticFiles
from storegate_ui.texts import bytes_text, count_text, duration_text, percent_text, time_text

if TYPE_CHECKING:
    from jinja2 import Environment

    from storegate.gateway import Gateway

PAGES: Mapping[str, str] = {
    "loaded": "Blocks",
    "queries": "Queries",
    "caches": "Caches",
    "plugins": "Plugins",
    "config": "Configuration",
    "flags": "Flags",
    "status": "Status",
    "missing": "Not found",
}
"""Titles by path, in the order of the menu; `missing` is not in it."""
PACKAGES = ("grpcio", "protobuf", "numpy", "pydantic", "pluggy", "prometheus-client", "starlette", "uvicorn", "Jinja2")


def prefix_of(request: Request) -> str:
    """The path under which a proxy shows the pages; the HTTP front end found and cleaned it."""
    prefix: str = request.scope.get("storegate.prefix", "")
    return prefix


@cache
def _environment() -> Environment:
    """The templates; Jinja is imported for the first page, not for the start of the gateway."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    made = Environment(
        loader=PackageLoader("storegate_ui"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "bytes": bytes_text,
        "count": count_text,
        "duration": duration_text,
        "percent": percent_text,
        "time": time_text,
    }
    return made


class Pages:
    """Renders pages. Thread-safe: templates are compiled once, and every page looks at the gateway anew."""

    def __init__(self, gateway: Gateway, config: UiConfig, files: StaticFiles) -> None:
        self._gateway = gateway
        self._config = config
        self._files = files
        self._began = time.time()
        self._contexts: Mapping[str, Callable[[], Mapping[str, Any]]] = {
            "queries": self._queries,
            "caches": lambda: {"caches": cache_rows(gateway.registry)},
            "plugins": self._plugins,
            "config": self._settings,
            "flags": lambda: {"flags": sorted(gateway.flags.items())},
            "status": self._status,
        }

    def render(self, name: str, request: Request, status: int = 200) -> Response:
        """One page. `part=content` leaves the frame out: a page that is open takes it to renew itself."""
        shown = self._contexts.get(name, dict)()
        text = (
            _environment()
            .get_template(f"{name}.html")
            .render(
                **shown,
                page=name,
                title=PAGES[name],
                menu={path: title for path, title in PAGES.items() if path != "missing"},
                base=prefix_of(request),
                frame="none.html" if request.query_params.get("part") == "content" else "frame.html",
                version=self._files.version,
                admin=not self._gateway.settings.web.disable_admin_operations,
                refresh=self._config.refresh,
            )
        )
        return HTMLResponse(text, status, {"Cache-Control": "no-store"})

    def _queries(self) -> Mapping[str, Any]:
        return {"queries": self._gateway.running(), "now": time.time()}

    def _plugins(self) -> Mapping[str, Any]:
        report = self._gateway.plugin_report()
        providers = [entry for entry in report["providers"] if entry["name"]]
        return {"sources": self._gateway.plugins.sources(), "providers": providers, "pipeline": report["pipeline"]}

    def _settings(self) -> Mapping[str, Any]:
        settings = masked_settings(self._gateway.settings, self._gateway.plugins)
        plain = {name: value for name, value in settings.items() if not isinstance(value, dict | list)}
        groups = {"general": plain} | {name: value for name, value in settings.items() if name not in plain}
        return {"groups": {name: _yaml(value) for name, value in groups.items()}}

    def _status(self) -> Mapping[str, Any]:
        gateway = self._gateway
        info = gateway.info()
        return {
            "ready": gateway.ready,
            "healthy": gateway.healthy,
            "began": self._began,
            "addresses": gateway.addresses,
            "elsewhere": _elsewhere(gateway),
            "info": info,
            "label_sets": [json.dumps(dict(labels), ensure_ascii=False) for labels in info.label_sets],
            "build": {
                "storegate": _version("storegate"),
                platform.python_implementation(): platform.python_version(),
                "platform": f"{platform.system()} {platform.machine()}",
                "compiled kernels": "yes" if ACCELERATED else "no: queries are slow",
                "cores": str(len(os.sched_getaffinity(0))),
            },
            "packages": {name: _version(name) for name in PACKAGES},
        }


def _elsewhere(gateway: Gateway) -> Mapping[str, str]:
    """What else the HTTP server answers, by path."""
    found = {
        "/metrics": "metrics for Prometheus",
        "/-/ready": "are the blocks loaded?",
        "/-/healthy": "is the process alive?",
        "/api/v1/blocks?view=loaded": "the blocks",
    }
    return found if gateway.settings.web.disable_debug else found | {"/debug/pprof/": "profiles"}


def _yaml(value: Any) -> str:
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True).rstrip()


def _version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "not installed"
