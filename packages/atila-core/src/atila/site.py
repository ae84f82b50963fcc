"""`ATILA_APP=serve.py uvicorn atila.site:app`: a launch script under any server; see
`atila.launch.served`.
"""

from atila.launch.served import from_environment

app = from_environment()
