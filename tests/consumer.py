"""A process that takes the messages of a broker into a journal until it is killed: `python -m tests.consumer`."""

import sys
import threading
from pathlib import Path

from pipelines.reception import Reception
from pipelines.sources.mqtt import MqttIngest
from storage.journal import Journal
from tests.mqtt_messages import source

if __name__ == "__main__":
    with Reception(Journal(Path(sys.argv[2]))) as reception:
        MqttIngest(source(int(sys.argv[1])), reception).start()
        threading.Event().wait()
