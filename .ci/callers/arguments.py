"""The command line of every caller here: <folder with the programs> <folder with echo.proto>."""

import os
import sys

import grpc

binaries, protos = map(os.path.abspath, sys.argv[1:3])
sys.path.insert(0, protos)
messages, services = grpc.protos_and_services("echo.proto")
