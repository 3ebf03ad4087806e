"""What an operator can set for the HTTP front end. Imports nothing heavy: it is read to list plugins."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from storegate.config.http_client import OptionalPath
from storegate.config.units import ByteSize, Duration


class HttpConfig(BaseModel):
    """Durations are seconds or text such as `2m`, sizes are bytes or text such as `64KiB`."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    address: str = Field("0.0.0.0:10902", description="where to listen: host:port")
    grace_period: Duration = Field(120.0, description="how long running requests may take to end at shutdown")
    config_file: OptionalPath = Field(None, description="file with TLS, users and headers (`--http.config`)")
    header_timeout: Duration = Field(
        10.0, gt=0, description="how long a client may take for the TLS handshake, and for the headers of a request"
    )
    body_timeout: Duration = Field(30.0, gt=0, description="how long a client may take to send the body of a request")
    write_timeout: Duration = Field(
        60.0, gt=0, description="how long a client may take nothing of an answer that waits for it"
    )
    idle_timeout: Duration = Field(120.0, gt=0, description="connections are closed that had no request for so long")
    max_header_size: ByteSize = Field(64 << 10, gt=0, description="largest request line with headers; beyond it: 431")
    max_body_size: ByteSize = Field(4 << 20, gt=0, description="largest body of a request; beyond it: 413")
    max_connections: int = Field(
        1000, gt=0, description="connections at once; a further one takes the place of the one that is idle for longest"
    )
