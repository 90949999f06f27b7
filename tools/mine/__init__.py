"""The miner: reads the sources of real library releases and writes the class and gadget index that `scan` ships."""
