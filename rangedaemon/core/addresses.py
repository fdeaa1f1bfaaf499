"""
Which addresses a request may go to: the policy against server-side request forgery.

Who can add a job can make the daemon ask addresses that he himself cannot reach.  So
the address that a name was resolved to is judged, not the name, and not its spelling:
``0x7f.1``, ``2130706433`` and a name that changes its mind all end at an address.
IPv6 addresses that carry an IPv4 address in them (RFC 4291 2.5.5, RFC 6052, RFC 3056,
RFC 4380) are judged by both.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_PRESETS = {
    "private": ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", "fec0::/10"),
    "loopback": ("127.0.0.0/8", "::1/128"),
    "link-local": ("169.254.0.0/16", "fe80::/10"),
    # Where clouds tell their machines who they are, and with which keys.
    "metadata": (
        *("169.254.169.254/32", "169.254.170.2/32", "169.254.170.23/32", "100.100.100.200/32"),
        *("168.63.129.16/32", "192.0.0.192/32"),
        *("fd00:ec2::254/128", "fd00:ec2::23/128", "fd20:ce::254/128"),
    ),
    "unspecified": ("0.0.0.0/8", "::/128"),
    "multicast": ("224.0.0.0/4", "255.255.255.255/32", "ff00::/8"),
    "carrier-grade-nat": ("100.64.0.0/10",),
    "reserved": (
        *("192.0.0.0/24", "192.0.2.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24"),
        *("240.0.0.0/4", "100::/64", "2001:db8::/32"),
    ),
}

PRESETS = {name: tuple(map(ip_network, texts)) for name, texts in _PRESETS.items()}
"""Names for networks that nobody can keep in mind."""

DENIED = ("link-local", "metadata", "unspecified", "multicast")
"""What is denied where nothing is said: nobody keeps files to download there.

Loopback and private networks are where many of them are, so those are for the operator
to deny.
"""

_NAT64 = IPv6Network("64:ff9b::/96")


def networks_of(text: str) -> tuple[Network, ...]:
    """
    The networks that a preset's name, an address or a network in CIDR form means.

    :raises ValueError: it is none of these.
    """
    if text in PRESETS:
        return PRESETS[text]
    try:
        return (ip_network(text.removeprefix("[").removesuffix("]")),)
    except ValueError as broken:
        names = ", ".join(PRESETS)
        raise ValueError(
            f"expected an address, a network such as 10.0.0.0/8 without host bits, or {names}"
        ) from broken


@dataclass(frozen=True, slots=True)
class AddressPolicy:
    """What is denied, and what of that is allowed all the same."""

    deny: tuple[Network, ...] = tuple(n for name in DENIED for n in PRESETS[name])
    allow: tuple[Network, ...] = ()

    @classmethod
    def of(cls, deny: Iterable[str], allow: Iterable[str]) -> AddressPolicy:
        """The policy of two lists as the configuration has them.

        :raises ValueError: see `networks_of`.
        """
        return cls(
            tuple(n for text in deny for n in networks_of(text)),
            tuple(n for text in allow for n in networks_of(text)),
        )

    def admits(self, address: str) -> bool:
        """Whether a connection may be made to *address*; to what is no address, never."""
        try:
            parsed = ip_address(address.partition("%")[0])
        except ValueError:
            return False
        return not any(
            _within(meant, self.deny) and not _within(meant, self.allow)
            for meant in meanings(parsed)
        )


def meanings(address: Address) -> Iterator[Address]:
    """*address*, and the IPv4 addresses that it carries."""
    if isinstance(address, IPv4Address) or address.ipv4_mapped is None:
        yield address
    if isinstance(address, IPv4Address):
        return
    if address.ipv4_mapped is not None:  # to a socket the two are the same
        yield address.ipv4_mapped
    if address.sixtofour is not None:
        yield address.sixtofour
    if address.teredo is not None:
        yield from address.teredo
    value = int(address)
    compatible = 1 < value < 2**32
    if address in _NAT64 or compatible:
        yield IPv4Address(value & 0xFFFFFFFF)


def _within(address: Address, networks: Iterable[Network]) -> bool:
    return any(address in network for network in networks)
