"""Video in and out by ffmpeg: lossless GOP files while rendering, the final clip with a fixed GOP and in-band parameter sets."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np

#: constant quality (H.264) and kbit/s (H.265), chosen so that plates stay legible and both clips together stay below 14 MB
QUALITY = {"h264": 28.0, "h265": 355}


class LosslessWriter:
    """Raw RGB frames into a lossless file; the file gets its name when it is complete."""

    def __init__(self, path: Path, w: int, h: int, fps: int):
        self.path, self.part = path, path.with_suffix(".part.mkv")
        self.proc = subprocess.Popen(
            ["ffmpeg", "-v", "error", "-y", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{w}x{h}", "-r", str(fps), "-i", "-", "-pix_fmt", "yuv420p", "-c:v", "libx264", "-preset", "ultrafast", "-qp", "6", str(self.part)],
            stdin=subprocess.PIPE,
        )

    def write(self, frame: np.ndarray) -> None:
        self.proc.stdin.write(np.ascontiguousarray(frame).tobytes())

    def close(self) -> None:
        self.proc.stdin.close()
        if self.proc.wait() != 0:
            raise RuntimeError(f"ffmpeg failed to write {self.part}")
        self.part.rename(self.path)


def encode(work: Path, gops: int, out: Path, sc, fps: int, gop: int) -> None:
    """Concatenate the GOP files, add sensor noise, encode."""
    listing = work / "list.txt"
    listing.write_text("".join(f"file '{(work / f'gop-{g:03d}.mkv').resolve()}'\n" for g in range(gops)))
    base = ["ffmpeg", "-v", "error", "-y", "-f", "concat", "-safe", "0", "-i", str(listing), "-vf", f"noise=c0s=2:c0f=t+u:c1s=2:c1f=t+u:c2s=2:c2f=t+u:all_seed={sc.seed % 9973}", "-pix_fmt", "yuv420p", "-r", str(fps), "-color_range", "tv", "-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709"]
    q = QUALITY[sc.codec]
    if sc.codec == "h264":
        codec = ["-c:v", "libx264", "-profile:v", "high", "-preset", "medium", "-crf", str(q), "-x264-params", f"keyint={gop}:min-keyint={gop}:scenecut=0:bframes=0:repeat-headers=1:aq-mode=3:aq-strength=0.9:deadzone-inter=26:threads=2"]
    else:
        codec = ["-c:v", "libx265", "-tag:v", "hvc1", "-profile:v", "main", "-preset", "superfast", "-b:v", f"{q}k", "-x265-params", f"keyint={gop}:min-keyint={gop}:scenecut=0:bframes=0:repeat-headers=1:open-gop=0:aq-mode=3:aq-strength=0.9:pools=2:log-level=error"]
    subprocess.run([*base, *codec, "-movflags", "+faststart", "-an", str(out)], check=True)
