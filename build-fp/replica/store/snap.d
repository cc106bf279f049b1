build-fp/replica/store/snap.o: replica/store/snap.c \
 replica/store/store_internal.h replica/store/store.h replica/lib/codec.h \
 replica/lib/log.h
replica/store/store_internal.h:
replica/store/store.h:
replica/lib/codec.h:
replica/lib/log.h:
