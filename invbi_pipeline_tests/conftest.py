"""What holds for every test of the package."""

from hypothesis import settings

# A property is right or wrong; how long an example takes says only how busy the machine is.
settings.register_profile("invbi", deadline=None)
settings.load_profile("invbi")
