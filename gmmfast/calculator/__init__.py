"""The calculator: mixtures in the browser, computed on this machine.

A page of HTML and plain JavaScript in `static/`, a thin server that answers in JSON, and one worker
process that fits. The extra ``[calculator]`` has what it needs; `launch.calculator` starts it.
"""
