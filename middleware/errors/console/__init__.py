"""A prompt in the frames of an error, for the developer at this machine and nobody else."""
