"""Tests for `rangedaemon.core.addresses`."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.core.addresses import DENIED, PRESETS, AddressPolicy, networks_of

INSIDE = {
    "private": ("10.1.2.3", "172.31.0.1", "192.168.0.1", "fd12::1", "fec0::1"),
    "loopback": ("127.0.0.1", "127.255.0.9", "::1"),
    "link-local": ("169.254.0.1", "fe80::1", "fe80::1%eth0"),
    "metadata": ("169.254.169.254", "100.100.100.200", "fd00:ec2::254"),
    "unspecified": ("0.0.0.0", "0.1.2.3", "::"),
    "multicast": ("224.0.0.1", "239.255.255.250", "255.255.255.255", "ff02::1"),
    "carrier-grade-nat": ("100.64.0.1", "100.127.255.255"),
    "reserved": ("240.0.0.1", "192.0.2.7", "2001:db8::7"),
}
PUBLIC = ("8.8.8.8", "193.99.144.80", "172.32.0.1", "100.128.0.1", "2a02:2e0:3fe::1")


class PresetTests(SynchronousTestCase):
    """Tests for the networks that have names."""

    def test_each_denies_its_own(self) -> None:
        """Every preset denies what it is named after, and nothing of the public net."""
        self.assertEqual(set(INSIDE), set(PRESETS))
        for name, addresses in INSIDE.items():
            policy = AddressPolicy.of([name], [])
            for address in addresses:
                self.assertFalse(policy.admits(address), (name, address))
            for address in PUBLIC:
                self.assertTrue(policy.admits(address), (name, address))

    def test_default(self) -> None:
        """By default nobody gets at metadata; one's own machine and network are in reach."""
        policy = AddressPolicy()
        self.assertEqual(policy, AddressPolicy.of(DENIED, []))
        for address in ("169.254.169.254", "fe80::1", "0.0.0.0", "::", "224.0.0.1"):
            self.assertFalse(policy.admits(address), address)
        for address in ("127.0.0.1", "::1", "10.0.0.1", *PUBLIC):
            self.assertTrue(policy.admits(address), address)

    def test_not_a_network(self) -> None:
        """What is neither name nor network says what would be."""
        for text in ("privat", "10.0.0.1/8", "10.0.0.0/33", "", "example.org"):
            with self.subTest(text):
                error = self.assertRaises(ValueError, networks_of, text)
                self.assertIn("loopback", str(error))


class PolicyTests(SynchronousTestCase):
    """Tests for `AddressPolicy`."""

    def test_allowed_all_the_same(self) -> None:
        """What is allowed is taken out of what is denied, however wide that is."""
        policy = AddressPolicy.of(["0.0.0.0/0", "::/0"], ["10.1.0.0/16", "loopback"])
        for address in ("10.1.2.3", "127.0.0.1", "::1", "::ffff:10.1.0.1"):
            self.assertTrue(policy.admits(address), address)
        for address in ("10.2.0.1", "8.8.8.8", "2a02::1", "::ffff:8.8.8.8"):
            self.assertFalse(policy.admits(address), address)

    def test_what_is_no_address(self) -> None:
        """Whatever a resolver might bring that is no address is never connected to."""
        for text in ("", "localhost", "127.1", "0x7f.0.0.1", "1.2.3.4.5"):
            self.assertFalse(AddressPolicy.of([], []).admits(text), text)

    @given(st.integers(0, 2**32 - 1))
    def test_carried_addresses(self, number: int) -> None:
        """An IPv4 address that is denied is denied in every IPv6 dress."""
        policy = AddressPolicy.of(["private", "loopback", "link-local"], [])
        plain = IPv4Address(number)
        dresses = {
            "mapped": (0xFFFF << 32) | number,
            "NAT64": (0x0064FF9B << 96) | number,
            "6to4": (0x2002 << 112) | (number << 80),
            "Teredo server": (0x20010000 << 96) | (number << 64) | 0xFFFFFFFF,
            "Teredo client": (0x20010000 << 96) | (0x08080808 << 64) | (number ^ 0xFFFFFFFF),
        }
        if number > 1:
            dresses["compatible"] = number
        if not policy.admits(str(plain)):
            for name, value in dresses.items():
                self.assertFalse(policy.admits(str(IPv6Address(value))), name)
