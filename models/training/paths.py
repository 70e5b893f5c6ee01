"""Where training data and scratch files lie.

Nothing here is needed at run time. Both places can be moved by environment variables:
BERTHWATCH_DATA (default: ../shared/data beside the project) and BERTHWATCH_SCRATCH
(default: <system temp>/bw-models), so that no large file ever lands in the tree.
"""
import os
import pathlib
import tempfile

TRAINING = pathlib.Path(__file__).resolve().parent
MODELS = TRAINING.parent
DATA = pathlib.Path(os.environ.get("BERTHWATCH_DATA", MODELS.parent.parent / "shared" / "data"))
SCRATCH = pathlib.Path(os.environ.get("BERTHWATCH_SCRATCH", pathlib.Path(tempfile.gettempdir()) / "bw-models"))
# folders of rendered stills (test/scenes), one or several
STILLS = [pathlib.Path(p) for p in os.environ.get("BERTHWATCH_STILLS", str(SCRATCH / "stills")).split(os.pathsep)]
SPLITS = TRAINING / "splits.json"
GLYPHS = DATA / "plates" / "glyphs"


def scratch(*parts: str) -> pathlib.Path:
    """A path under the scratch folder; its parent is created."""
    p = SCRATCH.joinpath(*parts)
    p.parent.mkdir(parents=True, exist_ok=True)
    return p
