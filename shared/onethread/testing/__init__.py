"""The kit for tests, of this project and of outside connectors: real servers, suites, recorded inputs. Nothing imports it at run time."""
