"""Readers of public corpora, one file a corpus.

`READERS` is the list that ``raymtl miniatures`` and the contract tests go through; a study imports
the class it needs.
"""

from readers.ambient_context import AmbientContexts
from readers.asvspoof2015 import AsvSpoof2015
from readers.dcase2017_events import Dcase2017Events
from readers.dcase2017_scenes import Dcase2017Scenes
from readers.esc import Esc10, Esc50
from readers.fsdd import Fsdd
from readers.fsdkaggle2018 import FsdKaggle2018
from readers.ravdess import Ravdess
from readers.speech_commands import SpeechCommands

READERS = (
    AmbientContexts(),
    AsvSpoof2015(),
    Dcase2017Events(),
    Dcase2017Scenes(),
    Esc10(),
    Esc50(),
    Fsdd(),
    FsdKaggle2018(),
    Ravdess(),
    SpeechCommands(),
)
