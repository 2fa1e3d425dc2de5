"""What holds for every test of the package."""

import os

from hypothesis import settings

# A property is right or wrong; how long an example takes says only how busy the machine is. CI draws the same examples each time,
# so that a change is judged and not the draw; elsewhere they are drawn anew (`make fuzz` for the properties alone).
settings.register_profile("invbi", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("invbi")
