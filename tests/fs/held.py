# Holds up the echo of mount B. Imported by scripts of moved_on.t and overtaken.t, which work in a
# folder with mounts A and B, where B's kernel knows busy/f.
import ctypes, os, select


# Until the descriptor is closed: fanotify(7) asks us whether the echo may open a file that was written,
# and has no answer.
def hold():
    libc = ctypes.CDLL(None, use_errno=True)
    held = libc.fanotify_init(4, os.O_RDONLY)  # FAN_CLASS_CONTENT
    mask = ctypes.c_uint64(0x10000)  # FAN_OPEN_PERM
    assert libc.fanotify_mark(held, 1, mask, -100, b"B/busy/f") == 0
    with open("A/busy/f", "w") as f:
        f.write("v")
    assert select.select([held], [], [], 60)[0]
    return held
