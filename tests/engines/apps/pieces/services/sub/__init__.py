def __mount__():
    pass
