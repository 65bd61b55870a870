"""A separate JupyterLab on a free local port: temporary folders, no dialogs, no news."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path

__all__ = ["KERNEL_READY", "LabServer"]

PACKAGE_PARENT = Path(__file__).resolve().parents[3]

KERNEL_READY = """async () => {
  const app = window.jupyterapp
  if (!app) return false
  await app.started
  const widgets = [app.shell.currentWidget, ...app.shell.widgets('main')]
  const panel = widgets.find(w => w && w.context)
  if (!panel) return false
  await panel.context.sessionContext.ready
  const kernel = panel.context.sessionContext.session?.kernel
  if (!kernel) return false
  await kernel.info
  return kernel.status === 'idle'
}"""
"""True in a notebook's page once its cells can be run: the kernel's status is idle before it is connected."""


class LabServer:
    """`jupyter lab` on 127.0.0.1; it serves JupyterLab at /lab and Notebook 7 at /notebooks.

    Parameters
    ----------
    folder
        Where it writes everything.
    environment
        Variables for the server and its kernels, added to this process's.

    Raises
    ------
    RuntimeError
        It does not start.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self.notebooks = folder / "notebooks"
        self.notebooks.mkdir(parents=True)
        news = folder / "settings" / "@jupyterlab" / "apputils-extension" / "notification.jupyterlab-settings"
        news.parent.mkdir(parents=True)
        no_dialogs = {"fetchNews": "false", "checkForUpdates": False}
        news.write_text(json.dumps(no_dialogs), "utf-8")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        variables = {
            **os.environ,
            "JUPYTER_CONFIG_DIR": str(folder / "config"),
            "JUPYTER_DATA_DIR": str(folder / "data"),
            "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
            "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"),
            "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
            "IPYTHONDIR": str(folder / "ipython"),
            "JUPYTER_PREFER_ENV_PATH": "1",
            "PYTHONPATH": str(PACKAGE_PARENT),
            "HF_HUB_OFFLINE": "1",
            **(environment or {}),
        }
        options = [
            "--allow-root",
            "--no-browser",
            f"--ServerApp.port={self.port}",
            "--ServerApp.port_retries=0",
            "--ServerApp.ip=127.0.0.1",
            f"--ServerApp.root_dir={self.notebooks}",
            "--IdentityProvider.token=",
            "--ServerApp.password=",
            "--ServerApp.disable_check_xsrf=True",
            "--LabApp.expose_app_in_browser=True",
            "--JupyterNotebookApp.expose_app_in_browser=True",
            "--LabApp.extension_manager=readonly",
            # if this process is killed, nothing else ends the server
            "--ServerApp.shutdown_no_activity_timeout=600",
            "--MappingKernelManager.cull_idle_timeout=300",
            "--MappingKernelManager.cull_connected=True",
        ]
        self._log = (folder / "server.log").open("wb")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", *options],
            cwd=self.notebooks,
            env=variables,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._wait()

    def _wait(self, seconds: float = 60) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self._process.poll() is not None:
                break
            try:
                with urllib.request.urlopen(f"{self.url}/api/status", timeout=2):
                    return
            except OSError:
                time.sleep(0.1)
        self.close()
        log = (self.folder / "server.log").read_text("utf-8", "replace")[-3000:]
        raise RuntimeError(f"JupyterLab did not start:\n{log}")

    def close(self) -> None:
        """End the server and its kernels, which are one process group where there are such."""
        for forced in (False, True):
            if self._process.poll() is not None:
                break
            if sys.platform == "win32":
                self._process.terminate()
            else:
                os.killpg(self._process.pid, signal.SIGKILL if forced else signal.SIGTERM)
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                continue
        self._log.close()

    def write(self, name: str, cells: Sequence[str]) -> None:
        """Write a new notebook with these code cells."""
        notebook = {
            "cells": [
                {
                    "cell_type": "code",
                    "id": f"cell-{i}",
                    "execution_count": None,
                    "metadata": {},
                    "outputs": [],
                    "source": source,
                }
                for i, source in enumerate(cells)
            ],
            "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
            "nbformat": 4,
            "nbformat_minor": 5,
        }
        (self.notebooks / name).write_text(json.dumps(notebook), "utf-8")
