"""Whether the Jupyter tests would notice an error of our front end at all."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Error

from tests.browser.jupyter_fixtures import comes_from_our_bundle

pytestmark = pytest.mark.browser

# as anywidget loads a widget
LOAD = """code => {
  const url = URL.createObjectURL(new Blob([code], {type: 'text/javascript'}))
  return import(url).then(module => { setTimeout(module.default) })
}"""


@pytest.fixture
def errors(mock_browser: Browser):
    """Runs code as a widget's bundle or as the page itself; the page's errors."""
    page = mock_browser.new_page()
    seen: list[Error] = []
    page.on("pageerror", lambda error: seen.append(error))

    def after(code: str, *, bundled: bool) -> list[Error]:
        with page.expect_event("pageerror"):
            page.evaluate(*(LOAD, code) if bundled else (f"() => {{ {code} }}",))
        return seen

    yield after
    page.close()


@pytest.mark.parametrize(
    "body", ["throw new TypeError('x is undefined')", "Promise.reject(new Error('late'))", "null.x"]
)
def test_an_error_of_the_bundle_is_noticed_whatever_its_words(errors, body):
    (error,) = errors(f"export default () => {{ {body} }}", bundled=True)
    assert comes_from_our_bundle(error)


def test_an_error_of_the_page_itself_is_not_ours(errors):
    (error,) = errors("setTimeout(() => { throw new Error('settings registry') })", bundled=False)
    assert not comes_from_our_bundle(error)
