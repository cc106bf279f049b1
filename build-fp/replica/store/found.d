build-fp/replica/store/found.o: replica/store/found.c \
 replica/store/store_internal.h replica/store/store.h replica/lib/codec.h \
 replica/lib/log.h
replica/store/store_internal.h:
replica/store/store.h:
replica/lib/codec.h:
replica/lib/log.h:
