"""Small JSON files beside the data that survive a crash at any instant."""

import json
import os


class StateFile:
    def __init__(self, path: str):
        self._path = path

    def load(self, default):
        try:
            with open(self._path, encoding="utf-8") as file:
                return json.load(file)
        except FileNotFoundError:
            return default

    def save(self, value) -> None:
        new = f"{self._path}.new"
        with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            json.dump(value, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(new, self._path)
