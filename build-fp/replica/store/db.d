build-fp/replica/store/db.o: replica/store/db.c \
 replica/store/store_internal.h replica/store/store.h replica/lib/codec.h \
 replica/lib/check.h replica/lib/err.h replica/lib/log.h
replica/store/store_internal.h:
replica/store/store.h:
replica/lib/codec.h:
replica/lib/check.h:
replica/lib/err.h:
replica/lib/log.h:
