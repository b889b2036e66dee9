"""The story, real: a flood and two honest clients, through Postfix, with Weir and without, to an ISP that takes offence.

`python3 -m story` (scripts/run.sh calls it) runs it on this machine, and nothing leaves the loopback interface.
"""
