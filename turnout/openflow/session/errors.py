# SPDX-License-Identifier: Apache-2.0
"""OpenFlow's errors: names, and the (vendor, type, code) that each has in each version.

An error that a version lacks goes as Open vSwitch sends it: as a vendor or experimenter error of Nicira or
the ONF.
"""

import struct
from enum import Enum, unique

from turnout.openflow.session.constants import NX_VENDOR, OF10, OF13, ONF_VENDOR

Triple = tuple[
    int, int, int
]  # vendor (0: the standard's), type, code; of an experimenter error the code is unused

NX_ERROR10, _NXVC_VENDOR_ERROR = 0xB0C2, 0
EXPERIMENTER = 0xFFFF
QUOTED = 64  # bytes of the request that an error quotes


def _std(kind: int, code: int) -> tuple[Triple, Triple, Triple]:
    """The same type and code in all versions."""
    return ((0, kind, code),) * 3


def _nx10(kind: int, code: int, of13: Triple, of14: Triple | None = None) -> tuple[Triple, Triple, Triple]:
    """In 1.0 a Nicira vendor error, later something else."""
    return ((NX_VENDOR, kind, code), of13, of14 or of13)


def _later(kind: int, code: int) -> tuple[Triple, Triple, Triple]:
    """1.0 has nothing for it: NXBRC_UNENCODABLE_ERROR."""
    return ((NX_VENDOR, 1, 521), (0, kind, code), (0, kind, code))


def _onf(onf: int, kind: int, code: int) -> tuple[Triple, Triple, Triple]:
    """The standard's since 1.4, the ONF's in 1.3."""
    return ((NX_VENDOR, 1, 521), (ONF_VENDOR, onf, 0), (0, kind, code))


@unique
class Error(Enum):
    """An error by the standard's name; the value is its triple in 1.0, 1.3 and 1.4."""

    OFPHFC_INCOMPATIBLE = _std(0, 0)
    OFPBRC_BAD_VERSION = _std(1, 0)
    OFPBRC_BAD_TYPE = _std(1, 1)
    OFPBRC_BAD_STAT = _std(1, 2)
    OFPBRC_BAD_VENDOR = _std(1, 3)
    OFPBRC_BAD_SUBTYPE = _std(1, 4)
    OFPBRC_EPERM = _std(1, 5)
    OFPBRC_BAD_LEN = _std(1, 6)
    OFPBRC_BAD_TABLE_ID = _nx10(1, 512, (0, 1, 9))
    OFPBRC_IS_SLAVE = ((0, 1, 5), (0, 1, 10), (0, 1, 10))
    OFPBRC_MULTIPART_BUFFER_OVERFLOW = _later(1, 13)
    OFPBRC_MULTIPART_REQUEST_TIMEOUT = _onf(2640, 1, 14)
    NXBRC_MUST_BE_ZERO = _nx10(1, 515, (NX_VENDOR, 4, 0))
    OFPBAC_BAD_OUT_PORT = _std(2, 4)
    OFPBMC_BAD_TYPE = _later(4, 0)
    OFPBMC_BAD_LEN = _later(4, 1)
    OFPBMC_BAD_FIELD = _nx10(0, 263, (0, 4, 6))
    OFPBMC_BAD_MASK = _nx10(1, 259, (0, 4, 8))
    OFPBIC_UNKNOWN_INST = _later(3, 0)
    OFPPMFC_BAD_PORT = ((0, 4, 0), (0, 7, 0), (0, 7, 0))
    OFPPMFC_BAD_HW_ADDR = ((0, 4, 1), (0, 7, 1), (0, 7, 1))
    OFPTMFC_BAD_TABLE = _later(8, 0)
    OFPTMFC_BAD_CONFIG = _later(8, 1)
    OFPQOFC_BAD_PORT = ((0, 5, 0), (0, 9, 0), (0, 9, 0))
    OFPQOFC_BAD_QUEUE = ((0, 5, 1), (0, 9, 1), (0, 9, 1))
    OFPSCFC_BAD_FLAGS = _later(10, 0)
    OFPRRFC_STALE = _later(11, 0)
    OFPRRFC_BAD_ROLE = _nx10(1, 513, (0, 11, 2))
    OFPTFFC_BAD_TABLE = _later(13, 0)
    OFPTFFC_EPERM = _later(13, 5)
    # the standard's since 1.5 only; in 1.3 and 1.4 Open vSwitch says "unencodable", a type and code say more
    OFPTFFC_BAD_FEATURES = ((NX_VENDOR, 1, 521), (NX_VENDOR, 10, 0), (NX_VENDOR, 10, 0))
    NXTFFC_DUP_TABLE = ((NX_VENDOR, 1, 521), (NX_VENDOR, 44, 0), (NX_VENDOR, 44, 0))
    OFPBPC_BAD_TYPE = _nx10(13, 2, (0, 13, 2), (0, 14, 0))
    OFPBPC_BAD_LEN = _nx10(13, 3, (0, 13, 3), (0, 14, 1))
    OFPBPC_BAD_VALUE = _nx10(13, 4, (0, 13, 4), (0, 14, 2))
    OFPBPC_BAD_EXPERIMENTER = _nx10(14, 5, (ONF_VENDOR, 4445, 0), (0, 14, 5))
    OFPBPC_BAD_EXP_TYPE = _nx10(14, 6, (ONF_VENDOR, 4446, 0), (0, 14, 6))
    OFPACFC_INVALID = _onf(2370, 15, 0)
    OFPACFC_UNSUPPORTED = _onf(2371, 15, 1)
    OFPMOFC_MONITOR_EXISTS = _nx10(1, 517, (NX_VENDOR, 6, 0), (0, 16, 1))
    OFPMOFC_UNKNOWN_MONITOR = _nx10(1, 519, (NX_VENDOR, 8, 0), (0, 16, 3))
    OFPMOFC_BAD_COMMAND = ((NX_VENDOR, 1, 521), (NX_VENDOR, 10, 0), (0, 16, 4))
    OFPMOFC_BAD_FLAGS = _nx10(1, 518, (NX_VENDOR, 7, 0), (0, 16, 5))
    OFPBFC_BAD_ID = _onf(2302, 17, 2)
    OFPBFC_BUNDLE_CLOSED = _onf(2304, 17, 4)
    OFPBFC_OUT_OF_BUNDLES = _onf(2305, 17, 5)
    OFPBFC_BAD_TYPE = _onf(2306, 17, 6)
    OFPBFC_BAD_FLAGS = _onf(2307, 17, 7)
    OFPBFC_MSG_BAD_LEN = _onf(2308, 17, 8)
    OFPBFC_MSG_BAD_XID = _onf(2309, 17, 9)
    OFPBFC_MSG_UNSUP = _onf(2310, 17, 10)
    OFPBFC_MSG_TOO_MANY = _onf(2312, 17, 12)
    OFPBFC_MSG_FAILED = _onf(2313, 17, 13)
    OFPBFC_TIMEOUT = _onf(2314, 17, 14)
    OFPBFC_BAD_VERSION = ((NX_VENDOR, 1, 521), (NX_VENDOR, 10, 0), (NX_VENDOR, 22, 0))
    NXR_NOT_SUPPORTED = _nx10(1, 533, (NX_VENDOR, 34, 0))

    def triple(self, version: int) -> Triple:
        """What it is in `version`."""
        triples: tuple[Triple, Triple, Triple] = self.value
        return triples[0] if version <= OF10 else triples[1] if version <= OF13 else triples[2]


class OfError(Exception):
    """A request that is refused; the reply quotes the request."""

    def __init__(self, error: Error) -> None:
        super().__init__(error.name)
        self.error = error


def encode(error: Error, version: int, xid: int, about: bytes | bytearray | memoryview) -> bytes:
    """The whole error message in `version`; `about` is the request, of which the first 64 bytes are
    quoted.
    """
    vendor, kind, code = error.triple(version)
    if not vendor:
        body = struct.pack("!HH", kind, code)
    elif version == OF10:
        body = struct.pack("!HHIHH", NX_ERROR10, _NXVC_VENDOR_ERROR, vendor, kind, code)
    else:
        body = struct.pack("!HHI", EXPERIMENTER, kind, vendor)
    body += bytes(about[:QUOTED])
    return struct.pack("!BBHI", version, 1, 8 + len(body), xid) + body
