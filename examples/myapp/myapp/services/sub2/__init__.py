def __setup__(app, mntopt):
    from . import pages

    # The same as "/pages": mount points are relative to that of the parent, unless they begin
    # with it.
    app.mount("/sub2/pages", pages)
