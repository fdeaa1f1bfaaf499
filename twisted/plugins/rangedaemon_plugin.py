"""The drop-in by which ``twistd`` finds rangedaemon."""

from twisted.application.service import ServiceMaker

rangedaemon = ServiceMaker(
    "rangedaemon", "rangedaemon.tap", "Serve ranges and pull files in segments.", "rangedaemon"
)
