"""The shipped suites assert like tests: pytest explains their failures, too. Asked for here, before any test imports one."""

import pytest

pytest.register_assert_rewrite("onethread.testing.event_log")
