"""What the `video.encode` executor is made of: ffmpeg found, asked about files, given its arguments, run and watched."""
