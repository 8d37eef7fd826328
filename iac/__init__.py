"""Infrastructure as code: the nested stacks, and the local stack that stands in for them."""
