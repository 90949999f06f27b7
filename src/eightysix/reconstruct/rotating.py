"""wip"""


def rotation(**_: object) -> tuple[()]:
    return ()
