"""The lab: experiments on a training, and what they say together."""
