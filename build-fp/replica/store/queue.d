build-fp/replica/store/queue.o: replica/store/queue.c \
 replica/store/store_internal.h replica/store/store.h replica/lib/codec.h \
 replica/lib/check.h replica/lib/err.h replica/lib/log.h
replica/store/store_internal.h:
replica/store/store.h:
replica/lib/codec.h:
replica/lib/check.h:
replica/lib/err.h:
replica/lib/log.h:
